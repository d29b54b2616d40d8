"""What the service answers, with types. Fields that a later release adds are ignored."""
