package pack_test

import (
	"strings"
	"testing"

	"savepoint/repo/pack"
)

func TestParseName(t *testing.T) {
	id := pack.ID{0xab, 1, 2, 31: 0xff}
	for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
		name := pack.Name(kind, id)
		if k, got, ok := pack.ParseName(name); !ok || k != kind || got != id {
			t.Errorf("%s is read as %v, %s, %v", name, k, got, ok)
		}
		for _, bad := range []string{"", name[1:], name + "0", name[:len(name)-1], strings.ToUpper(name), strings.Replace(name, "/ab/", "/ac/", 1),
			strings.Replace(name, "ff", "fg", 1), "index" + name[4:], "/" + name, name + "/"} {
			if _, _, ok := pack.ParseName(bad); ok {
				t.Errorf("%q is read as a name", bad)
			}
		}
	}
}
