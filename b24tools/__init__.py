"""b24tools: orders from 1C:Enterprise become tasks in Bitrix24, closed tasks become a leaderboard."""

__version__ = "0.1.0"
