package conf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// one returns the only value of l.
func (l line) one() (string, error) {
	if len(l.options) > 0 {
		return "", fmt.Errorf("found the option %s=, expected none", l.options[0].name)
	}
	if len(l.values) != 1 {
		return "", fmt.Errorf("found %d values, expected one", len(l.values))
	}
	return l.values[0], nil
}

// several returns the values of l, at least one.
func (l line) several() ([]string, error) {
	if len(l.options) > 0 {
		return nil, fmt.Errorf("found the option %s=, expected none", l.options[0].name)
	}
	if len(l.values) == 0 {
		return nil, fmt.Errorf("found no value, expected one or more")
	}
	return l.values, nil
}

// text sets a string that check finds good.
func text(field func(*Config) *string, check func(string) (string, error)) func(*Config, line) error {
	return func(c *Config, l line) error {
		v, err := l.one()
		if err == nil {
			v, err = check(v)
		}
		if err == nil {
			*field(c) = v
		}
		return err
	}
}

func choice(field func(*Config) *string, of ...string) func(*Config, line) error {
	return text(field, func(v string) (string, error) {
		if !slices.Contains(of, v) {
			return "", fmt.Errorf("found %q, expected %s", v, strings.Join(of, ", "))
		}
		return v, nil
	})
}

func yesNo(field func(*Config) *bool) func(*Config, line) error {
	return func(c *Config, l line) error {
		v, err := l.one()
		if err != nil {
			return err
		}
		if v != "yes" && v != "no" {
			return fmt.Errorf("found %q, expected yes or no", v)
		}
		*field(c) = v == "yes"
		return nil
	}
}

func number(field func(*Config) *int, least, most int) func(*Config, line) error {
	return func(c *Config, l line) error {
		v, err := l.one()
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < least || n > most {
			return fmt.Errorf("found %q, expected a number from %d to %d", v, least, most)
		}
		*field(c) = n
		return nil
	}
}

func duration(field func(*Config) *time.Duration, least, most time.Duration) func(*Config, line) error {
	return func(c *Config, l line) error {
		v, err := l.one()
		if err != nil {
			return err
		}
		d, err := parseDuration(v)
		if err != nil {
			return err
		}
		if d < least || d > most {
			return fmt.Errorf("found %s, expected from %v to %v", v, least, most)
		}
		*field(c) = d
		return nil
	}
}

// parseDuration reads a whole number with a unit s, m, h or d; 0 needs none.
func parseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("found %q, expected a duration such as 30s, 5m, 4h or 5d", s)
	if s == "0" {
		return 0, nil
	}
	if len(s) < 2 || len(s) > 8 {
		return 0, bad
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': day}[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if err != nil || unit == 0 {
		return 0, bad
	}
	return time.Duration(n) * unit, nil
}

func size(field func(*Config) *int64, least, most int64) func(*Config, line) error {
	return func(c *Config, l line) error {
		v, err := l.one()
		if err != nil {
			return err
		}
		n, err := parseSize(v)
		if err != nil {
			return err
		}
		if n < least || n > most {
			return fmt.Errorf("found %s, expected from %d to %d bytes", v, least, most)
		}
		*field(c) = n
		return nil
	}
}

// parseSize reads a whole number of bytes, or of K, M or G (powers of 1024).
func parseSize(s string) (int64, error) {
	shift := 0
	digits := s
	if s != "" {
		switch s[len(s)-1] {
		case 'K':
			shift = 10
		case 'M':
			shift = 20
		case 'G':
			shift = 30
		}
	}
	if shift > 0 {
		digits = s[:len(s)-1]
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("found %q, expected a size such as 500K, 50M or 1G", s)
	}
	return int64(n) << shift, nil
}

// domains adds to a list of names.
func domains(field func(*Config) *[]string) func(*Config, line) error {
	return func(c *Config, l line) error {
		values, err := l.several()
		if err != nil {
			return err
		}
		list := field(c)
		for _, v := range values {
			d, err := checkDomain(v)
			if err != nil {
				return err
			}
			if !slices.Contains(*list, d) {
				*list = append(*list, d)
			}
		}
		return nil
	}
}
