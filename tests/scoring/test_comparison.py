"""The sensitivity guard of a sweep."""

from segtrack.scoring.comparison import same_trajectories


class TestSameTrajectories:
    """A grid of a in 1, 2 and b in x, y; the digest says what happened."""

    @staticmethod
    def warn(digests: str, grid: str = "1x 1y 2x 2y") -> list[str]:
        cells = grid.split()
        params = {cell: {"a": int(cell[0]), "b": cell[1]} for cell in cells}
        return same_trajectories(dict(zip(cells, digests, strict=True)), params)

    def test_all_different(self) -> None:
        assert self.warn("pqrs") == []

    def test_a_knob_without_effect(self) -> None:
        assert self.warn("ppqq") == [
            "1x and 1y have byte-identical trajectories: b=x,y had no effect",
            "2x and 2y have byte-identical trajectories: b=x,y had no effect",
        ]

    def test_a_knob_with_an_effect_elsewhere(self) -> None:
        assert self.warn("ppqr") == [
            "1x and 1y have byte-identical trajectories: "
            "b=x,y had no effect here, but has in other cells"
        ]

    def test_neither_knob_has_an_effect(self) -> None:
        assert self.warn("pppp") == [
            "1x, 1y, 2x and 2y have byte-identical trajectories: "
            "a=1,2 had no effect; b=x,y had no effect"
        ]

    def test_two_knobs_that_cancel(self) -> None:
        """1x and 2y are equal, though each knob alone changes something."""
        assert self.warn("pqrp") == [
            "1x and 2y have byte-identical trajectories: a=1,2 had no effect here, but has in "
            "other cells; b=x,y had no effect here, but has in other cells"
        ]

    def test_knobs_that_were_never_varied_alone(self) -> None:
        assert self.warn("pp", "1x 2y") == [
            "1x and 2y have byte-identical trajectories: "
            "a=1,2 was never varied alone; b=x,y was never varied alone"
        ]

    def test_the_same_settings_twice(self) -> None:
        both = {"one": {"a": 1}, "two": {"a": 1}}
        assert same_trajectories({"one": "p", "two": "p"}, both) == [
            "one and two have byte-identical trajectories: they have the same settings"
        ]

    def test_many_cells(self) -> None:
        params = {f"a={i}": {"a": i} for i in range(20)}
        (line,) = same_trajectories(dict.fromkeys(params, "p"), params)
        assert line.startswith("a=0, a=1, a=2, a=3, a=4, a=5 and 14 more cells have byte-identical")
        assert line.endswith("17,18,19 had no effect")

    def test_cells_that_failed_are_left_out(self) -> None:
        params = {name: {"a": name} for name in "123"}
        assert same_trajectories({"1": "p", "3": "q"}, params) == []


def test_numbers_that_a_search_drew_are_said_short() -> None:
    params = {"one": {"a": "0.49069977178955193"}, "two": {"a": "0.5112233445566778"}}
    (line,) = same_trajectories({"one": "x", "two": "x"}, params)
    assert line.endswith("trajectories: a=0.4907,0.5112 had no effect")
    params = {"one": {"a": "0.490661234567"}, "two": {"a": "0.490674444444"}}
    (line,) = same_trajectories({"one": "x", "two": "x"}, params)
    assert line.endswith("trajectories: a=0.490661234567,0.490674444444 had no effect")
