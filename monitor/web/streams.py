"""The event stream: open pages hear that something changed and fetch it anew."""

from http import HTTPStatus

from fastapi import APIRouter, HTTPException
from starlette.responses import StreamingResponse

from monitor.web.context import Here

router = APIRouter(include_in_schema=False)


@router.get("/events")
async def event_stream(here: Here) -> StreamingResponse:
    """Stream server-sent events named `changed`, each with the list of topics that changed."""
    if here.pulse.full:
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, "Too many pages listen already; load this page again by hand."
        )
    return StreamingResponse(
        here.pulse.listen(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )
