# make          builds everything into bin/
# make run      a whole server with a demo account, on loopback, without root
# make test     every test that can run here; at the end it says what it skipped and why
# make prove    the long proofs: power cuts and kills at every step and at random, faults that wait, the models of queue and mailboxes; ends with their counts
# make check    formatting, vet, staticcheck, module files, man pages, scripts
# make install  what etc/install.txt names: DESTDIR, PREFIX and the folders below

GO         ?= go
TESTFLAGS  ?=
DESTDIR    ?=
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
SBINDIR    ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec/posthorn
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/posthorn
DATADIR    ?= $(PREFIX)/share/posthorn
SYSCONFDIR ?= /etc
RUNDIR     ?= /run/posthorn
SPOOLDIR   ?= /var/spool/posthorn
MAILROOT   ?= /var/mail/posthorn
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || cat VERSION 2>/dev/null || echo devel)

export CGO_ENABLED = 0
DAEMONS = smtpd queued queued/queue-remote deliver deliver/deliver-box authd \
	pop3d pop3d/pop3-session imapd imapd/imap-session
ADMIN   = posthorn sendmail
TESTERS = test/dnsd test/sink scripts/demo

LDFLAGS = -X posthorn/internal/daemon.Version=$(VERSION) \
	-X posthorn/internal/conf.DefaultLibexec=$(LIBEXECDIR) \
	-X posthorn/internal/conf.DefaultFile=$(SYSCONFDIR)/posthorn/posthorn.conf \
	-X posthorn/internal/conf.DefaultRunDir=$(RUNDIR) \
	-X posthorn/internal/conf.DefaultSpool=$(SPOOLDIR) \
	-X posthorn/internal/conf.DefaultMailRoot=$(MAILROOT)
# What scripts/install puts into etc/install.txt.
FOLDERS = DESTDIR BINDIR SBINDIR LIBEXECDIR MANDIR DOCDIR DATADIR SYSCONFDIR RUNDIR SPOOLDIR MAILROOT UNITDIR SYSUSERSDIR TMPFILESDIR
STATICCHECK = $(GO) tool -modfile=tools/go.mod staticcheck

all:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ $(addprefix ./,$(DAEMONS) $(ADMIN))

run: all
	$(GO) build -trimpath -o bin/ $(addprefix ./,$(TESTERS))
	exec bin/demo -bin bin -dir run

test:
	$(GO) run ./scripts/testrun $(TESTFLAGS) ./...

prove:
	$(GO) test -count=1 -tags prove ./internal/durable
	POSTHORN_PROVE=1 $(GO) run ./scripts/testrun $(TESTFLAGS) -counts -- -p 1 -count=1 -timeout 60m ./test/power/... ./test/kills ./test/faults ./test/views ./queued

check:
	@test -z "$$(gofmt -l .)" || { echo 'gofmt would change:'; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags prove ./internal/durable
	$(STATICCHECK) ./...
	$(GO) mod tidy -diff
	mandoc -T lint -W warning doc/man/*.[1-9]
	shellcheck .ci/run $$(find scripts etc -type f -perm -u+x ! -name '*.go')

install: all
	$(foreach v,$(FOLDERS),$v='$($v)') scripts/install

clean:
	rm -rf bin run

.PHONY: all run test prove check install clean
