"""What every suite shares; nothing here starts anything by itself."""

from __future__ import annotations
