from reports.cli import main

main(prog_name="python -m reports")
