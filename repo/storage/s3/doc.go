// Package s3 is a Store in a bucket of MinIO, Amazon S3 or another server that speaks
// their protocol and orders its listings by name.
//
// An object of the store is an object of the bucket, under the store's prefix. It is
// put by one PUT, never in parts, with the CRC-32C of its body in the header; a server
// that does not say that it has checked the sum is sent a Content-MD5 instead. Stat
// and Get ask by GET with a range, since the answer to a HEAD cannot say why it is
// refused. Empty objects and names that are no object names are never taken for
// objects.
//
// The time of an object is its Last-Modified, in whole seconds.
//
// Requests are tried once: whoever wants more decorates the store. There are four
// exceptions, none of which waits. A Get goes on from the byte that it has reached
// when its connection breaks, as long as the object is the same. A List does
// likewise from the last name. With several endpoints, which must be doors of one
// cluster, a call that no answer came to is made again at the next one, but for a
// Put with IfAbsent, whose lost answer could be its success. And a Put is made again
// whose folder, in a server on a file system, went with a neighbour that was deleted.
//
// A connection over which no byte has moved for Config.Idle is broken off. Bytes that
// the peer's kernel acknowledges count as moved, so a slow line is no dead one.
//
// Credentials are looked for in the environment (AWS_ACCESS_KEY_ID, MINIO_ROOT_USER and
// their likes), the shared files of Amazon's programs, MinIO's client file, but only
// when MINIO_ALIAS says which of its aliases, and the services that give roles. Of a
// pair in the environment both must be set. Credentials that a server refuses are
// fetched anew where others can come from, which is not the environment or a file.
//
// On a bucket with versions Delete hides the current version and removes none.
package s3
