// Package record is the codec of the small sealed objects: the parameters in config, index segments, leases, condemned
// records, marks and reports. docs/format.md sections 3, 7, 9 and 12 are the specification. It does no I/O and no
// sealing: what goes in and out is the payload of an envelope.
package record
