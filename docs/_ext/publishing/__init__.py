"""What is added to the written pages, in one pass and before it: repairs, policy, metadata; and the check of links."""
