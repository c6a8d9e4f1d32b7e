"""Named experiments: what is measured, recorded and written to docs/results.md.

    python -m experiments NAME --data FOLDER
    python -m experiments report

The sets come from `sets`, the scores from `scores` and `maxboxacc`, the methods compared from `peers`. Each experiment
is a module of its own (`compare`, `background`, `set_size`, `scale`, `tables`, `figure2`) that gives the results of a
record (`records`), and `report` turns records into text and plots. Nothing here chooses a setting.
"""
