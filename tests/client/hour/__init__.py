"""What somebody does who has not seen the project: run where nothing of it is installed but the client's wheel."""
