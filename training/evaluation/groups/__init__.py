"""Figures of an evaluation by groups of people: skin, glasses, age, source."""
