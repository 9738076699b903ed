"""What `bptt.exercises` asks: for each task the numbers, a truth that holds no answer, and known mistakes."""
