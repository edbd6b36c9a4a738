package mailbox

// Box is one user's mailbox: a Maildir++ whose root is INBOX and whose folders
// are `.Name` folders beside new/ and cur/. Folder names are given and taken
// in UTF-8 with '.' between levels; INBOX is not case-sensitive. A Box is safe
// for concurrent use.
type Box struct{}

// Close gives back what the box holds. Its Views are closed before.
func (b *Box) Close() error { return nil }

// Folders returns the names of all folders, INBOX first, then sorted. Parents
// that do not exist themselves are not in it (`Work` for `Work.2024`).
func (b *Box) Folders() ([]string, error) { return nil, errUnspecified }

// Exists reports whether the folder name can be selected.
func (b *Box) Exists(name string) (bool, error) { return false, errUnspecified }

// Create makes the folder name; no parent needs to exist, and none is made.
// Errors: ErrExists, ErrBadName.
func (b *Box) Create(name string) error { return errUnspecified }

// Subscribe adds name to the subscriptions or takes it away. The folder need
// not exist (RFC 3501 6.3.6).
func (b *Box) Subscribe(name string, on bool) error { return errUnspecified }

// Subscriptions returns the names subscribed to, sorted.
func (b *Box) Subscriptions() ([]string, error) { return nil, errUnspecified }

// Status counts a folder's messages without selecting it: nothing loses its
// \Recent. Errors: ErrNoFolder, ErrBadName.
func (b *Box) Status(name string) (Status, error) { return Status{}, errUnspecified }

// Select opens a session's own view of a folder. A view that is not read-only
// takes \Recent and moves what is in new/ to cur/. The caller closes it.
// Errors: ErrNoFolder, ErrBadName.
func (b *Box) Select(name string, readOnly bool) (*View, error) { return nil, errUnspecified }

// Append files a message and returns its UIDVALIDITY and UID. When it returns
// nil the message is durable; after an error it is not there. Errors:
// ErrNoFolder, ErrBadName, ErrShort, ErrKeywords, ErrBadKeyword.
func (b *Box) Append(name string, m Incoming) (uidvalidity, uid uint32, err error) {
	return 0, 0, errUnspecified
}

// LockPOP3 takes the mailbox for one POP3 session (RFC 1939 8). The lock ends
// with release or with the process. Errors: ErrLocked.
func (b *Box) LockPOP3() (release func(), err error) { return nil, errUnspecified }
