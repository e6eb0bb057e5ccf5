package check

import "savepoint/verify"

// The codes of findings. docs/json.md says what each means.
const (
	CodeConfig         verify.Code = "config-damaged"
	CodeKeySlot        verify.Code = "key-slot-damaged"
	CodeSnapshot       verify.Code = "snapshot-damaged"
	CodeSnapshotGone   verify.Code = "snapshot-gone"
	CodeSegment        verify.Code = "index-damaged"
	CodeIndex          verify.Code = "index-incomplete"
	CodePackMissing    verify.Code = "pack-missing"
	CodePackSize       verify.Code = "pack-size"
	CodePackDirectory  verify.Code = "pack-directory"
	CodePackDamaged    verify.Code = "pack-damaged"
	CodePackMarked     verify.Code = "pack-marked"
	CodeTree           verify.Code = "tree-damaged"
	CodeNeedsCondemned verify.Code = "needs-condemned"
	CodeNeedsVoid      verify.Code = "needs-void-index"
	CodeUnreadable     verify.Code = "unreadable"
	CodeUncounted      verify.Code = "tree-too-deep"
	CodeUnsteady       verify.Code = "reads-differ"
	CodeCondemned      verify.Code = "condemned-damaged"
	CodeMark           verify.Code = "mark-damaged"
	CodeLease          verify.Code = "lease-damaged"
	CodeReport         verify.Code = "report-damaged"
	CodeReportGone     verify.Code = "report-gone"
	CodeReportFork     verify.Code = "report-fork"
	CodeNotOurs        verify.Code = "not-ours"
)

// undo says how objects come back, in a bucket and in a folder.
const (
	undoBucket = "put it back from a replica, a copy or an earlier version of the object; a bucket with versioning brings back what was overwritten or deleted: docs/guide/minio.md"
	undoFolder = "put it back from a replica, a copy of the folder or a snapshot of its file system: docs/guide/night.md"
)

// putBackPoint is what is left to do for a manifest that nothing else holds.
func (c *checker) putBackPoint() string {
	return c.putBack() + ". Stored anew more than half an hour after its backup, as every file is that is put back into a folder, it is restored by its ID and never by time: " +
		"back up at once, so that there is a new recovery point"
}

// putBack is what is left to do for an object that nothing else holds.
func (c *checker) putBack() string {
	if c.o.Folder {
		return undoFolder
	}
	return undoBucket
}
