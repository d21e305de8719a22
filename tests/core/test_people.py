"""Users of 1.2 as rules read them: their role and their orgs come from a table of their own."""

from roster_world import frame

from ingestd.core.people import with_roles

ROLES = frame(
    sourcedId=["R1", "R2", "R3", "R4"],
    userSourcedId=["U1", "U1", "U2", "U3"],
    roleType=["secondary", "primary", "secondary", "primary"],
    role=["aide", "teacher", "student", "parent"],
    orgSourcedId=["S1", "S2", "S1", "S9"],
)


def test_a_user_has_the_primary_role_and_all_orgs_that_of_it_first() -> None:
    """What a user says itself stays; one without any role has none."""
    users = frame(sourcedId=["U1", "U2", "U3", "U4"], role=["", "", "student", ""], orgSourcedIds=["", "", "S3", ""])
    made = with_roles(users, ROLES)
    assert made["role"].tolist() == ["teacher", "student", "student", ""]
    assert made["orgSourcedIds"].tolist() == ["S2,S1", "S1", "S3", ""]


def test_users_of_1_2_have_no_such_columns() -> None:
    """They get them."""
    made = with_roles(frame(sourcedId=["U1"]), ROLES)
    assert (made["role"].tolist(), made["orgSourcedIds"].tolist()) == (["teacher"], ["S2,S1"])
