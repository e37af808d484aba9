"""What is run where nothing is named."""

import pytest

from benchmarks.engine.select import choose, make_plan
from benchmarks.workload import DeclarationError, discover


def test_a_variant_without_the_recipe_is_left_out_unless_it_is_named():
    def keys(**words):
        return [e.key for e in make_plan(command="test", threads=1, framework=["torch"], data="real", **words).entries]

    assert "word2vec/planted" not in keys(profile="full", workload=["word2vec"])
    with pytest.raises(DeclarationError, match="word2vec/planted has no recipe 'short'"):
        keys(workload=["word2vec/planted"])


def test_a_heavy_variant_is_left_out_where_a_cpu_runs_and_taken_on_gpus_alone():
    found = discover()
    heavy = "cifar10_resnet/resnet18"

    def keys(words, **more):
        return [f.workload.key for f in choose(found, words, everything=False, **more)]

    assert heavy not in keys([])
    assert heavy in keys([], gpu=True)
    assert keys(["cifar10_resnet"]) == ["cifar10_resnet"]
    assert keys(["cifar10_resnet"], gpu=True) == ["cifar10_resnet", heavy]
    assert "mnist_mlp_ablation/linear" not in keys([], gpu=True)
