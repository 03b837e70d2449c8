"""The subcommands of `retroflex` that make and judge a captioner."""
