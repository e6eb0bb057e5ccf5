package seal

// parseSSHRecipient reads a line of an SSH public key file.
func parseSSHRecipient(string) (Recipient, error) { return nil, errSSH }

// parseSSHIdentity reads an SSH private key file.
func parseSSHIdentity(string) (Identity, error) { return nil, errSSH }
