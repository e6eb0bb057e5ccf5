package tree

import "savepoint/internal/wire"

// Keys of an entry.
const (
	keyName     = 1
	keyType     = 2
	keyMode     = 3
	keyUID      = 4
	keyGID      = 5
	keySize     = 6
	keyMTime    = 7
	keyContent  = 8
	keyTarget   = 9
	keyRdev     = 10
	keyXattrs   = 11
	keyLink     = 12
	keySplitter = 13
	keyFault    = 14
	keyInode    = 64
	keyCTime    = 65
)

// AppendEntry appends the encoding of e, which [Entry.Validate] has found
// valid, to dst. User and Group are not part of it.
func AppendEntry(dst []byte, e *Entry) []byte {
	dst = wire.AppendMap(dst, e.fields())
	if e.Name != "" {
		dst = wire.AppendBytes(wire.AppendUint(dst, keyName), e.Name)
	}
	dst = wire.AppendUint(wire.AppendUint(dst, keyType), uint64(e.Type))
	dst = appendNonzero(dst, keyMode, uint64(e.Mode))
	dst = appendNonzero(dst, keyUID, uint64(e.UID))
	dst = appendNonzero(dst, keyGID, uint64(e.GID))
	dst = appendNonzero(dst, keySize, e.Size)
	if e.MTime != 0 {
		dst = wire.AppendInt(wire.AppendUint(dst, keyMTime), e.MTime)
	}
	if len(e.Content) > 0 {
		dst = appendElements(wire.AppendUint(dst, keyContent), e.Content, e.Type)
	}
	dst = appendRare(dst, e)
	dst = appendNonzero(dst, keyInode, e.Inode)
	if e.CTime != 0 {
		dst = wire.AppendInt(wire.AppendUint(dst, keyCTime), e.CTime)
	}
	for _, f := range e.Extra {
		dst = append(wire.AppendUint(dst, f.Key), f.Value...)
	}
	return dst
}

// appendRare appends the fields from target to fault.
func appendRare(dst []byte, e *Entry) []byte {
	if e.Target != "" {
		dst = wire.AppendBytes(wire.AppendUint(dst, keyTarget), e.Target)
	}
	if e.Rdev != [2]uint32{} {
		dst = wire.AppendArray(wire.AppendUint(dst, keyRdev), 2)
		dst = wire.AppendUint(dst, uint64(e.Rdev[0]))
		dst = wire.AppendUint(dst, uint64(e.Rdev[1]))
	}
	if len(e.Xattrs) > 0 {
		dst = wire.AppendArray(wire.AppendUint(dst, keyXattrs), len(e.Xattrs))
		for _, x := range e.Xattrs {
			dst = wire.AppendBytes(wire.AppendArray(dst, 2), x.Name)
			dst = wire.AppendBytes(dst, x.Value)
		}
	}
	if e.Link != nil {
		dst = wire.AppendArray(wire.AppendUint(dst, keyLink), 2)
		dst = wire.AppendUint(dst, uint64(e.Link.Device))
		dst = wire.AppendUint(dst, e.Link.Inode)
	}
	dst = appendNonzero(dst, keySplitter, uint64(e.Splitter))
	return appendNonzero(dst, keyFault, uint64(e.Fault))
}

func appendNonzero(dst []byte, key, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return wire.AppendUint(wire.AppendUint(dst, key), v)
}

// fields returns the number of fields that the encoding of e has.
func (e *Entry) fields() int {
	n := 1 + len(e.Extra) // the type is always there
	for _, present := range [...]bool{
		e.Name != "", e.Mode != 0, e.UID != 0, e.GID != 0, e.Size != 0, e.MTime != 0, len(e.Content) > 0,
		e.Target != "", e.Rdev != [2]uint32{}, len(e.Xattrs) > 0, e.Link != nil, e.Splitter != 0, e.Fault != 0,
		e.Inode != 0, e.CTime != 0,
	} {
		if present {
			n++
		}
	}
	return n
}
