package repo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// Config says what is wrong with config, or returns nil: it must be sealed with the repository's keys, have its parameters, and have
// been equal to the copy in the key slot when the repository was opened. Reading goes on with that copy whatever the damage is.
func (x *Inspection) Config(ctx context.Context) (Object, error) {
	o := Object{Name: seal.ConfigName}
	var whole *struct{}
	info, err := x.r.st.Stat(ctx, seal.ConfigName)
	if err == nil {
		o.Stored, o.Size = info.Time, info.Size
		whole, err = readTwice(ctx, x.r, info, x.readConfig)
	}
	switch {
	case gone(err):
		o.Damage = corrupt(seal.ConfigName, errors.New("it is missing"))
	case unreadable(err):
		o.Damage = err
	case Unread(err):
		o.Unread = err
	case err != nil:
		return o, err
	case whole != nil && errors.Is(x.r.readOnly, ErrCorrupt):
		o.Damage = x.r.readOnly
	}
	return o, nil
}

func (x *Inspection) readConfig(ctx context.Context, i storage.Info) (*struct{}, error) {
	b, err := x.r.getListed(ctx, i)
	if err != nil {
		return nil, err
	}
	payload, err := x.r.ring.OpenConfig(b)
	if err != nil {
		return nil, corrupt(i.Name, err)
	}
	params, err := record.DecodeConfig(payload)
	if err != nil {
		return nil, corrupt(i.Name, err)
	}
	if params != x.r.params {
		return nil, corrupt(i.Name, errors.New("it has other parameters than the copy in the key slot"))
	}
	return new(struct{}), nil
}

// Keys looks at the key slots. Only who has its secret can open one: of the others it is seen that they are age files that
// begin as those of their kind do, and are long enough.
func (x *Inspection) Keys(ctx context.Context, each func(Object) error) error {
	infos, err := x.ours(ctx, "keys/", slotName)
	if err != nil {
		return err
	}
	return inspectEach(ctx, x.r, infos, func(ctx context.Context, i storage.Info) (*struct{}, error) {
		if i.Size > seal.MaxSlot {
			return nil, corrupt(i.Name, fmt.Errorf("%d bytes where at most %d can be", i.Size, seal.MaxSlot))
		}
		b, err := x.r.getListed(ctx, i)
		if err != nil {
			return nil, err
		}
		if err := checkSlot(slotName.FindStringSubmatch(i.Name)[1], b); err != nil {
			return nil, corrupt(i.Name, err)
		}
		return new(struct{}), nil
	}, func(s Inspected[struct{}]) error { return each(s.Object) })
}

func checkSlot(kind string, b []byte) error {
	h, err := seal.ReadSlotHead(b)
	switch {
	case err != nil:
		return err
	case (kind == SlotPassphrase) != (h.Type == seal.TypePassword),
		kind == SlotMachine && h.Type != seal.TypeX25519:
		return errors.New("it is not for a secret of its kind")
	}
	return nil
}

// Leases looks at all objects of leases. They are judged by name and storage time only, so that nothing hangs on what they say.
func (x *Inspection) Leases(ctx context.Context, each func(Inspected[record.Lease]) error) error {
	infos, err := x.ours(ctx, "leases/", leaseName)
	if err != nil {
		return err
	}
	return inspectEach(ctx, x.r, infos, reading(x.r, seal.Lease, record.DecodeLease), each)
}

// Reports looks at all reports but those whose names are known already. They are listed when it is called: later than the snapshots, which
// name reports that were there before.
func (x *Inspection) Reports(ctx context.Context, known func(name string) bool, each func(Inspected[StoredReport]) error) error {
	infos, err := x.ours(ctx, "reports/", reportName)
	if err != nil {
		return err
	}
	infos = slices.DeleteFunc(infos, func(i storage.Info) bool { return known(i.Name) })
	return inspectEach(ctx, x.r, infos, func(ctx context.Context, i storage.Info) (*StoredReport, error) {
		b, err := x.r.getListed(ctx, i)
		if err != nil {
			return nil, err
		}
		return x.r.openReport(i, b)
	}, each)
}

// outside are the places where objects lie, in order of name.
var outside = []string{"condemned/", seal.ConfigName, "data/", "index/", "keys/", "leases/", "marks/", "meta/", "reports/", "snapshots/"}

// Outside notes what lies beside the folders of the repository and is no object of it.
func (x *Inspection) Outside(ctx context.Context) error {
	after := ""
	for n := 0; n <= len(outside); n++ {
		upto := "~"
		if n < len(outside) {
			upto = outside[n]
		}
		for i, err := range x.r.st.List(ctx, "", after) {
			if err != nil {
				return err
			}
			if i.Name >= upto {
				break
			}
			x.stray(i.Name)
		}
		if after = upto; strings.HasSuffix(upto, "/") {
			after += "zzzz" // behind all names there that anybody makes
		}
	}
	return nil
}
