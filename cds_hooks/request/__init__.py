"""What a caller sends: body, hook, context, drafts."""
