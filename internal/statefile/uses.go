package statefile

// UseEntry is the key of the Metadata that says what a folder is for (RFC 6154
// section 4): attributes with spaces between. UsesKept is a fact of the Account that
// clients do not see: some folder has it.
const (
	UseEntry = "/private/specialuse"
	UsesKept = "specialuse"
)

// Uses are the attributes that a folder may have: there is none here that shows
// messages of others, as \All and \Flagged would.
func Uses() []string { return []string{`\Archive`, `\Drafts`, `\Junk`, `\Sent`, `\Trash`} }
