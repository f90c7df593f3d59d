"""What can be had here, and the certificate authority of a cluster."""

from __future__ import annotations

from base64 import b64encode

from poolkeeper.api import shapes
from poolkeeper.api.answers import Json
from poolkeeper.api.auth import Reader, make_router
from poolkeeper.api.paths import ClusterId
from poolkeeper.api.versions import look_up_lifetime
from poolkeeper.domain.clusters import REGIONS
from poolkeeper.domain.sizes import SLUGS
from poolkeeper.usecases.clusters import require_live_cluster

router = make_router("Clusters", "/v2/databases")


@router.get("/options", operation_id="databases_list_options", response_model=shapes.OptionsAnswer)
def list_options(caller: Reader) -> Json:
    """What clusters can be had on this host: versions, sizes, regions."""
    majors = caller.context.majors()
    answer: shapes.OptionsAnswer = {
        "options": {
            "pg": {
                "regions": list(REGIONS),
                "versions": majors,
                "layouts": [{"num_nodes": 1, "sizes": list(SLUGS)}],
                "default_version": majors[0] if majors else "",
            }
        },
        "version_availability": {"pg": _list_availability(majors)},
    }
    return Json(answer)


@router.get(
    "/{database_cluster_uuid}/ca",
    operation_id="databases_get_ca",
    summary="Get Certificate Authority",
    response_model=shapes.AuthorityAnswer,
)
def get_ca(caller: Reader, cluster_id: ClusterId) -> Json:
    """The certificate authority that the cluster's and its pools' certificates are from."""
    require_live_cluster(caller.context, cluster_id)
    certificate = b64encode(caller.context.ca_certificate.encode()).decode("ascii")
    answer: shapes.AuthorityAnswer = {"ca": {"certificate": certificate}}
    return Json(answer)


def _list_availability(majors: list[str]) -> list[shapes.VersionAvailability]:
    return [
        {
            "version": major,
            "end_of_life": look_up_lifetime(major).end_of_life,
            "end_of_availability": look_up_lifetime(major).end_of_availability,
            "default": index == 0,
        }
        for index, major in enumerate(majors)
    ]
