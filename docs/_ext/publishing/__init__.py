"""What is added to the written pages, in one pass: repairs, policy, metadata, commit; and the check of links."""
