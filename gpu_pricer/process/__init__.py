"""How every job runs as a process: the signals that end it, what it says and costs, the record that it leaves."""
