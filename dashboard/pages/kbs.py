"""The knowledge bases: what each holds, and what is open or has failed in it."""

from __future__ import annotations

from urllib.parse import quote

import falcon

from api import requests
from api.bulkheads.pools import SEARCHING
from api.resources import kbs
from dashboard.page import Asked, Page, filters_of
from models.base import Json


class Kbs(Page):
    """`/kbs`"""

    template = "kbs.html"

    async def look(self, asked: Asked) -> Json:
        """Find a page of the KBs that the viewer may see.

        Raises:
          falcon.HTTPSeeOther: one was named, to be opened.
        """
        if name := asked.query.get("name"):
            raise falcon.HTTPSeeOther(f"/kbs/{quote(name, safe='')}")
        query = requests.fit(kbs.KbQuery, dict(asked.query))
        page = await requests.read_much(kbs.page, asked.viewer.key.kbs, query, pool=SEARCHING)
        return {**page, "filters": filters_of(kbs.KbQuery)}
