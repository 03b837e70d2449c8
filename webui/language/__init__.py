"""The languages of the page; answers to programs are English."""
