package conf

import "testing"

func TestMessageLimit(t *testing.T) {
	for _, tt := range []struct {
		args string
		want MessageLimit
	}{
		{"0", MessageLimit{}},
		{"1000", MessageLimit{Most: 1000}},
		{"100000 save", MessageLimit{Most: 100_000, Save: true}},
	} {
		c, err := load(t, minimal+"message-limit "+tt.args+"\n")
		if err != nil || c.MessageLimit != tt.want {
			t.Errorf("%s: got %+v, %v, want %+v", tt.args, c.MessageLimit, err, tt.want)
		}
	}
	for _, args := range []string{"", "999", "100001", "-1", "1K", "save", "1000 keep", "1000 save 2", "1000 save=yes"} {
		if _, err := load(t, minimal+"message-limit "+args+"\n"); err == nil {
			t.Errorf("%s: got nil, want an error", args)
		}
	}
}
