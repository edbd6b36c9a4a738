# make          builds everything into bin/
# make run      a whole server with a demo account, on loopback, without root
# make test     every test that can run here; at the end it says what it skipped and why
# make check    formatting, vet, staticcheck, module files, man pages, scripts
# make install  DESTDIR, PREFIX and the folders below

GO         ?= go
TESTFLAGS  ?=
PREFIX     ?= /usr/local
SBINDIR    ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec/posthorn
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/posthorn
SYSCONFDIR ?= /etc
RUNDIR     ?= /run/posthorn
SPOOLDIR   ?= /var/spool/posthorn
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || cat VERSION 2>/dev/null || echo devel)

export CGO_ENABLED = 0

DAEMONS = smtpd queued queued/queue-remote deliver deliver/deliver-box authd \
	pop3d pop3d/pop3-session imapd imapd/imap-session
ADMIN   = posthorn
TESTERS = test/dnsd test/sink scripts/demo

LDFLAGS = -X posthorn/internal/daemon.Version=$(VERSION) \
	-X posthorn/internal/conf.DefaultLibexec=$(LIBEXECDIR) \
	-X posthorn/internal/conf.DefaultFile=$(SYSCONFDIR)/posthorn/posthorn.conf \
	-X posthorn/internal/conf.DefaultRunDir=$(RUNDIR) \
	-X posthorn/internal/conf.DefaultSpool=$(SPOOLDIR)
STATICCHECK = $(GO) tool -modfile=tools/go.mod staticcheck

all:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ $(addprefix ./,$(DAEMONS) $(ADMIN))

run: all
	$(GO) build -trimpath -o bin/ $(addprefix ./,$(TESTERS))
	exec bin/demo -bin bin -dir run

test:
	$(GO) run ./scripts/testrun $(TESTFLAGS) ./...

check:
	@test -z "$$(gofmt -l .)" || { echo 'gofmt would change:'; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...
	$(GO) mod tidy -diff
	mandoc -T lint -W warning doc/man/*.[1-9]
	shellcheck .ci/run $$(find scripts -type f -perm -u+x ! -name '*.go')

install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(DOCDIR) \
		$(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(SYSCONFDIR)/posthorn
	install -m 755 $(addprefix bin/,$(notdir $(DAEMONS))) $(DESTDIR)$(LIBEXECDIR)/
	install -m 755 $(addprefix bin/,$(ADMIN)) $(DESTDIR)$(SBINDIR)/
	install -m 644 doc/man/*.5 $(DESTDIR)$(MANDIR)/man5/
	install -m 644 doc/man/*.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 644 README.md CONTRIBUTING.md LICENSE doc/*.md doc/protocol/*.md $(DESTDIR)$(DOCDIR)/
	# The pages name the folders of this build.
	sed -i -e 's|/usr/libexec/posthorn|$(LIBEXECDIR)|' -e 's|/etc/posthorn|$(SYSCONFDIR)/posthorn|' \
		-e 's|: /run/posthorn|: $(RUNDIR)|' -e 's|/var/spool/posthorn|$(SPOOLDIR)|' \
		$(DESTDIR)$(MANDIR)/man5/posthorn*.5 $(DESTDIR)$(MANDIR)/man8/posthorn.8
	for f in posthorn.conf users aliases transport; do \
		test -e $(DESTDIR)$(SYSCONFDIR)/posthorn/$$f || \
		install -m 644 etc/$$f $(DESTDIR)$(SYSCONFDIR)/posthorn/$$f || exit 1; done
	# It will hold passwords: give it to the group posthorn-auth.
	chmod 640 $(DESTDIR)$(SYSCONFDIR)/posthorn/users

clean:
	rm -rf bin run

.PHONY: all run test check install clean
