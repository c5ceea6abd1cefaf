"""A key asked for with a pod or inbox in the body is narrowed to it, never wider than asked."""

from tests.support.gateway_process import Organization


def test_a_key_is_narrowed_to_the_inbox_named_in_the_body(organization: Organization) -> None:
    mine, other = organization.new_inbox(), organization.new_inbox()
    key = organization.call("POST", "api-keys", json={"name": "narrow", "inbox_id": mine["inbox_id"]})
    narrow = {"Authorization": f"Bearer {key['key']}"}
    with organization.client() as client:
        me = client.get("auth/me", headers=narrow).json()
        assert (me["scope_type"], me["scope_id"]) == ("inbox", mine["inbox_id"])
        assert client.get(f"inboxes/{mine['inbox_id']}/messages", headers=narrow).status_code == 200
        assert client.get(f"inboxes/{other['inbox_id']}/messages", headers=narrow).status_code == 403
