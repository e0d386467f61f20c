"""Why a network is as it is: its facts, equations among these, their text."""
