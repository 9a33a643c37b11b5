"""What ``liandong bench`` runs: each measurement beside a limit that was taken in the same run on the same machine."""
