"""Traces: every operator's output as rows with witnesses, their roots, openings, and the judgement of a claimed row."""
