"""Sends with smtplib, reads with imaplib and poplib; arguments are ports."""
import imaplib, poplib, smtplib, ssl, sys, time
from email.message import EmailMessage

SMTP, SUBMISSIONS, IMAP, IMAPS, POP3, POP3S = map(int, sys.argv[1:7])
HOST, ANN, BOB, PASSWORD = "127.0.0.1", "ann@example.test", "bob@example.test", "secret"
tls = ssl._create_unverified_context()


def check(what, have, want):
    if have != want:
        sys.exit(f"{what}: got {have!r}, want {want!r}")


def send():
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = ANN, BOB, "Grüße"
    m.set_content("first line\n.second line with a dot\näöü\n")
    m.add_attachment(b"\x00\x01" * 1000, maintype="application", subtype="octet-stream", filename="a.bin")
    with smtplib.SMTP_SSL(HOST, SUBMISSIONS, context=tls) as s:
        s.login(ANN, PASSWORD)
        s.send_message(m)
    with smtplib.SMTP(HOST, SMTP) as s:
        s.sendmail("x@other.test", [BOB], "Subject: second\r\n\r\n..dots\r\n")


def imap():
    for _ in range(200):
        i = imaplib.IMAP4_SSL(HOST, IMAPS, ssl_context=tls)
        i.login(BOB, PASSWORD)
        _, n = i.select("INBOX")
        if n == [b"2"]:
            break
        i.logout()
        time.sleep(0.05)
    check("messages", n, [b"2"])
    check("search", i.search(None, "UNSEEN")[1], [b"1 2"])
    sizes = [int(r.split(b"RFC822.SIZE ")[1].split(b")")[0]) for r in i.fetch("1:2", "(RFC822.SIZE)")[1]]
    for n in (1, 2):
        body = i.fetch(str(n), "(BODY.PEEK[])")[1][0][1]
        check("size of %d" % n, len(body), sizes[n - 1])
    check("part 2", i.fetch("1", "(BODY[2.MIME])")[0], "OK")
    check("store", i.store("1", "+FLAGS", r"(\Flagged work)")[0], "OK")
    check("keyword", i.search(None, "KEYWORD", "work")[1], [b"1"])
    check("create", i.create("Archive.2026")[0], "OK")
    check("copy", i.copy("1:2", "Archive.2026")[0], "OK")
    check("append", i.append("Archive.2026", r"(\Seen)", time.time(), b"Subject: appended\r\n\r\ntext\r\n")[0], "OK")
    check("status", i.status("Archive.2026", "(MESSAGES UNSEEN)")[1][0].replace(b'"', b""), b"Archive.2026 (MESSAGES 3 UNSEEN 1)")
    i.store("2", "+FLAGS", r"(\Deleted)")
    check("expunge", i.expunge()[1], [b"2"])
    folders = [r.split()[-1].strip(b'"') for r in i.list()[1] if b"Noselect" not in r]
    check("list", sorted(folders), [b"Archive.2026", b"INBOX"])
    i.logout()


def starttls():
    i = imaplib.IMAP4(HOST, IMAP)
    i.starttls(tls)
    i.login(BOB, PASSWORD)
    check("after STARTTLS", i.select("INBOX")[1], [b"1"])
    i.logout()
    p = poplib.POP3(HOST, POP3)
    p.stls(tls)
    p.user(BOB), p.pass_(PASSWORD)
    check("after STLS", p.stat()[0], 1)
    p.quit()


def pop3():
    p = poplib.POP3_SSL(HOST, POP3S, context=tls)
    p.user(BOB), p.pass_(PASSWORD)
    n, size = p.stat()
    check("pop3 messages", n, 1)
    check("pop3 size", len(b"\r\n".join(p.retr(1)[1])) + 2, size)
    check("top", p.top(1, 0)[1][-1], b"")
    uid = p.uidl(1)
    q = poplib.POP3_SSL(HOST, POP3S, context=tls)
    try:
        q.user(BOB), q.pass_(PASSWORD)
        sys.exit("a second POP3 session was let in")
    except poplib.error_proto as e:
        check("second session", b"[IN-USE]" in e.args[0], True)
    p.dele(1)
    p.rset()
    p.quit()
    p = poplib.POP3_SSL(HOST, POP3S, context=tls)
    p.user(BOB), p.pass_(PASSWORD)
    check("uidl again", p.uidl(1), uid)
    p.dele(1)
    p.quit()
    p = poplib.POP3_SSL(HOST, POP3S, context=tls)
    p.user(BOB), p.pass_(PASSWORD)
    check("after QUIT", p.stat()[0], 0)
    p.quit()


send()
imap()
starttls()
pop3()
print("all good")
