"""``POST /hooks/PROFILE``: receives the relay's webhooks about deliveries, bounces and complaints
(``core.sending.relay_events``)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.api.body import read_body
from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound, TooLarge, Unavailable
from gateway.core.sending.relay_events import NotTheirs, RelayNews
from gateway.store.engine import StoreDown

_MOST = 1024 * 1024  # octets of a body


def relay_hook_routes(core: Core) -> list[Route]:
    """The route."""
    news = RelayNews(core)

    async def answer(request: Request) -> Response:
        try:
            body = await read_body(request, _MOST)
            given = request.headers.get("authorization", "")
            count = await news.take(request.path_params["profile"], given, body)
        except NotFound as error:
            return _refusal(404, error)
        except NotTheirs as error:
            return _refusal(401, error, {"WWW-Authenticate": 'Basic realm="postern"'})
        except (Invalid, TooLarge) as error:
            return _refusal(413 if isinstance(error, TooLarge) else 400, error)
        except (Unavailable, StoreDown) as error:
            return _refusal(503, error, {"Retry-After": "60"})
        return JSONResponse({"messages": count})

    return [Route("/hooks/{profile}", answer, methods=["POST"])]


def _refusal(status: int, error: Exception, headers: dict[str, str] | None = None) -> Response:
    body = {"message": str(error)}
    fix = getattr(error, "fix", None)
    return JSONResponse({**body, "fix": fix} if fix else body, status, headers)
