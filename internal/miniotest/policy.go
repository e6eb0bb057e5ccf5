package miniotest

import "strings"

// LeastPolicy returns the policy of a credential that can make backups into a bucket and restore from it, and can take
// nothing away: it may put, get and list.
func LeastPolicy(bucket string) string {
	return Policy(bucket, "s3:PutObject", "s3:GetObject", "s3:ListBucket")
}

// Policy returns a policy that allows actions on a bucket and on all objects in it, and nothing else.
func Policy(bucket string, actions ...string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + strings.Join(actions, `","`) +
		`"],"Resource":["arn:aws:s3:::` + bucket + `","arn:aws:s3:::` + bucket + `/*"]}]}`
}
