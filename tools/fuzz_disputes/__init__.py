"""Fuzzes disputes: lies told about real models, each played to its verdict on the real contracts."""
