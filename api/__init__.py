"""What HTTP touches: one Falcon application, a file for each resource."""
