package main

import (
	"context"
	"os/exec"
	osuser "os/user"
	"strconv"
	"strings"
	"time"
)

// user is who called the command.
type user struct{ login, fullName string }

// currentUser looks up the caller: in passwd(5), and where he is not there by
// getent(1), which knows of other directories. One whom nobody knows sends mail
// too, as uid1000; the true uid is smtpd's to note.
func currentUser(uid int) user {
	id := strconv.Itoa(uid)
	if u, err := osuser.LookupId(id); err == nil {
		return user{u.Username, gecosName(u.Name, u.Username)}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", "passwd", "--", id).Output()
	if f := strings.Split(strings.TrimSpace(string(out)), ":"); err == nil && len(f) == 7 && f[2] == id {
		return user{f[0], gecosName(f[4], f[0])}
	}
	return user{"uid" + id, ""}
}

// gecosName reads the name of a gecos field (passwd(5)): "&" is the login,
// capitalised, and a comma ends it.
func gecosName(gecos, login string) string {
	name, _, _ := strings.Cut(gecos, ",")
	if login != "" {
		name = strings.ReplaceAll(name, "&", strings.ToUpper(login[:1])+login[1:])
	}
	return name
}
