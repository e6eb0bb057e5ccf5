package seal

// What tests of other packages' formats need to see: the sub-keys and the key of an object.

// SubKeys returns the sub-keys that are not exported.
func (r *Ring) SubKeys() (data, metadata, reports [32]byte) { return r.data, r.metadata, r.reports }

// ObjectKey returns the key of the object with this kind and salt.
func (r *Ring) ObjectKey(kind Kind, salt [32]byte) [32]byte { return r.objectKey(kind, salt) }

// Contexts returns the derive_key contexts of object keys.
func Contexts() map[Kind]string {
	m := map[Kind]string{}
	for k, c := range contexts {
		if c != "" {
			m[Kind(k)] = c
		}
	}
	return m
}
