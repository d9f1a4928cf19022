"""The service `~/enable`, which stops and continues the work without the lifecycle."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from rclpy.node import Node
from std_srvs.srv import SetBool

ENABLE_SERVICE = '~/enable'


class EnableService:
    """Offers `~/enable` in every lifecycle state.

    Attributes:
        enabled: Whether the node works while it is active.

    """

    def __init__(self, node: Node, apply: Callable[[bool], str]) -> None:
        """Offer the service.

        Args:
            node: Node that offers it.
            apply: Function that starts (True) or stops (False) the work, after `enabled` has
                changed, and returns a sentence for the answer.

        """
        self.enabled = True
        self._log = node.get_logger()
        self._apply = apply
        self._service = node.create_service(SetBool, ENABLE_SERVICE, self._set)

    def _set(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        wanted = bool(request.data)
        word = 'enabled' if wanted else 'disabled'
        if wanted == self.enabled:
            response.success, response.message = True, f'{word} already'
            return response
        self.enabled = wanted
        try:
            response.message = f'{word}: {self._apply(wanted)}'
            response.success = True
            self._log.info(f'{word} by {ENABLE_SERVICE}')
        except Exception as error:
            # An exception in a callback would end the executor and thus the node.
            self._log.error(f'{ENABLE_SERVICE}: {traceback.format_exc().strip()}')
            self.enabled = not wanted
            response.success, response.message = False, f'{type(error).__name__}: {error}'
        return response
