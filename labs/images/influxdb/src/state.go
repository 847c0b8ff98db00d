package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"time"
)

// Named is an organisation, a bucket or a user.
type Named struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	OrgID     string `json:"orgID,omitempty"`
	Retention int64  `json:"retention,omitempty"` // seconds, 0 for ever
	Created   string `json:"created"`
}

// State is what 2.x keeps and 1.x does not know.
type State struct {
	mu      sync.Mutex
	path    string
	User    *Named   `json:"user"`
	Secret  string   `json:"secret"` // salted hash of the password
	Org     *Named   `json:"org"`
	Buckets []*Named `json:"buckets"`
	Token   string   `json:"token"`
}

func open(path string) (*State, error) {
	s := &State{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(text, s)
}

func (s *State) save() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	next := s.path + ".new"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, s.path)
}

func random(bytes int) []byte {
	b := make([]byte, bytes)
	_, _ = rand.Read(b)
	return b
}

func newNamed(name, org string, retention int64) *Named {
	return &Named{ID: hex.EncodeToString(random(8)), Name: name, OrgID: org, Retention: retention, Created: time.Now().UTC().Format(time.RFC3339Nano)}
}

func hashed(salt, password string) string {
	sum := sha256.Sum256([]byte(salt + "\x00" + password))
	return salt + ":" + hex.EncodeToString(sum[:])
}

// Setup is the body of POST /api/v2/setup.
type Setup struct {
	Username  string `json:"username"`
	Password  string `json:"password"`
	Org       string `json:"org"`
	Bucket    string `json:"bucket"`
	Token     string `json:"token"`
	Retention int64  `json:"retentionPeriodSeconds"`
}

func (s *State) setup(in Setup) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.User != nil:
		return "conflict", errors.New("onboarding has already been completed")
	case in.Username == "":
		return "empty value", errors.New("username is empty")
	case in.Org == "":
		return "empty value", errors.New("org name is empty")
	case in.Bucket == "":
		return "empty value", errors.New("bucket name is empty")
	case in.Password != "" && len(in.Password) < 8:
		return "invalid", errors.New("passwords must be at least 8 characters long")
	}
	if in.Token == "" {
		in.Token = base64.URLEncoding.EncodeToString(random(64))
	}
	s.Org = newNamed(in.Org, "", 0)
	s.User = newNamed(in.Username, "", 0)
	s.Secret = hashed(hex.EncodeToString(random(8)), in.Password)
	s.Token = in.Token
	first := newNamed(in.Bucket, s.Org.ID, in.Retention)
	if err := s.createDatabase(first); err != nil {
		s.User, s.Org = nil, nil
		return "internal error", err
	}
	s.Buckets = []*Named{first, newNamed("_monitoring", s.Org.ID, 604800), newNamed("_tasks", s.Org.ID, 259200)}
	return "", s.save()
}

func (s *State) bucket(nameOrID string) *Named {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.Buckets {
		if b.Name == nameOrID || b.ID == nameOrID {
			return b
		}
	}
	return nil
}

func (s *State) isOrg(nameOrID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Org != nil && (nameOrID == "" || s.Org.Name == nameOrID || s.Org.ID == nameOrID)
}

func (s *State) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.User != nil
}

func (s *State) allows(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Token != "" && token == s.Token
}
