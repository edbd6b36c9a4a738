package main

import (
	"posthorn/imapd/internal/wire"
)

// step executes one command and writes what belongs to it. An error ends the
// session.
func (s *Session) step(c *wire.Command) error {
	s.shrinks, s.removes = false, removesMessages(c.Name)
	done, err := s.execute(c)
	if err := s.announce(mayExpunge(c.Name)); err != nil {
		return err
	}
	if err := s.answer(c, s.whereItStands(done), err); err != nil {
		return err
	}
	return s.pack()
}

// mayExpunge reports whether messages may lose their numbers in the answer of
// a command (RFC 3501 section 7.4.1).
func mayExpunge(command string) bool {
	switch command {
	case "FETCH", "STORE", "SEARCH", "SORT", "THREAD": // the last two by RFC 5256 section 3
		return false
	}
	return true
}

// execute runs a command of any state. done is the text of its OK, "" when
// there is none yet; errors are those answer knows.
func (s *Session) execute(c *wire.Command) (done string, err error) {
	switch c.Name {
	case "CAPABILITY":
		return s.capability(c)
	case "NOOP":
		return plain(c)
	case "LOGOUT":
		return s.logout(c)
	case "ID":
		return s.id(c)
	case "ENABLE":
		return s.enable(c)
	case "NAMESPACE":
		return s.namespace(c)
	case "UNAUTHENTICATE":
		return s.unauthenticate(c)
	case "COMPRESS":
		return s.compress(c)
	case "IDLE":
		return s.idle(c)
	case "LIST":
		return s.list(c)
	case "LSUB":
		return s.lsub(c)
	case "SUBSCRIBE":
		return s.subscribe(c, true)
	case "UNSUBSCRIBE":
		return s.subscribe(c, false)
	case "CREATE":
		return s.create(c)
	case "DELETE":
		return s.deleteFolder(c)
	case "RENAME":
		return s.renameFolder(c)
	case "GETQUOTA":
		return s.getQuota(c)
	case "GETQUOTAROOT":
		return s.getQuotaRoot(c)
	case "STATUS":
		return s.status(c)
	case "SETACL", "DELETEACL":
		return s.changeACL(c)
	case "GETACL":
		return s.getACL(c)
	case "LISTRIGHTS":
		return s.listRights(c)
	case "MYRIGHTS":
		return s.myRights(c)
	case "GETMETADATA":
		return s.getMetadata(c)
	case "SETMETADATA":
		return s.setMetadata(c)
	case "SELECT":
		return s.selectFolder(c, false)
	case "EXAMINE":
		return s.selectFolder(c, true)
	case "APPEND":
		return s.append(c)
	case "NOTIFY":
		return s.notify(c)
	case "ESEARCH":
		return s.multiSearch(c)
	case "LOGIN", "AUTHENTICATE", "STARTTLS":
		return "", &wire.SyntaxError{Text: "already logged in"}
	}
	return s.selected(c)
}

// selected runs a command of the selected state.
func (s *Session) selected(c *wire.Command) (string, error) {
	run := s.selectedCommand(c.Name)
	switch {
	case run == nil:
		return "", &wire.SyntaxError{Text: "unknown command"}
	case s.uidOnly && s.selectedCommand("UID "+c.Name) != nil && c.Name != "EXPUNGE":
		return "", errUIDOnly()
	case s.view == nil:
		return "", &wire.SyntaxError{Text: "no mailbox is selected"}
	}
	if err := s.permit(c.Name); err != nil {
		return "", err
	}
	return run(c)
}

func (s *Session) selectedCommand(name string) func(*wire.Command) (string, error) {
	switch name {
	case "CHECK":
		return plain
	case "CLOSE":
		return s.closeFolder
	case "UNSELECT":
		return s.unselectFolder
	case "EXPUNGE":
		return s.expunge
	case "UID EXPUNGE":
		return s.uidExpunge
	case "FETCH", "UID FETCH":
		return s.fetch
	case "STORE", "UID STORE":
		return s.storeFlags
	case "SEARCH", "UID SEARCH":
		return s.search
	case "SORT", "UID SORT":
		return s.sort
	case "THREAD", "UID THREAD":
		return s.thread
	case "CANCELUPDATE":
		return s.cancelUpdate
	case "UIDBATCHES":
		return s.batches
	case "COPY", "UID COPY":
		return s.copy
	case "MOVE", "UID MOVE":
		return s.move
	case "REPLACE", "UID REPLACE":
		return s.replace
	}
	return nil
}

// plain is a command without arguments that does nothing but let updates
// through.
func plain(c *wire.Command) (string, error) {
	return c.Name + " completed", c.Args.End()
}

func (s *Session) logout(c *wire.Command) (string, error) {
	if err := c.Args.End(); err != nil {
		return "", err
	}
	s.unselect()
	s.w.Raw("* BYE logging out\r\n")
	s.over = true
	return "LOGOUT completed", nil
}

func (s *Session) id(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	if err := c.Args.ID(); err != nil {
		return "", err
	}
	if err := c.Args.End(); err != nil {
		return "", err
	}
	s.w.Raw("* ID (\"name\" \"Posthorn\")\r\n")
	return "ID completed", nil
}
