"""Faults of the PyTorch implementations."""

from mutations.faults import maker

fault = maker("torch")

LOGITS = "    logits = model(x)  # (N, 10)"
CROSS = "F.cross_entropy(logits, y)"
MLP, CNN, NORM, NET, LM, W2V = (
    "mnist_mlp", "mnist_cnn", "mnist_mlp_ablation/batchnorm", "cifar10_resnet", "lstm_text", "word2vec",
)  # fmt: skip

SECOND_DROP = 'self.drop2 = nn.Dropout(declared["drop2"].rate)'
THIRD_DROP = 'self.drop3 = nn.Dropout(declared["drop3"].rate)'
UNSCALED = """class Unscaled(nn.Dropout):
    def forward(self, x):
        return super().forward(x) * (1 - self.p) if self.training else x


class MLP(nn.Module):"""
SEEDED = """class Seeded(nn.Dropout):
    calls = 0

    def forward(self, x):
        if not self.training or not self.p:
            return x
        self.calls += 1
        generator = torch.Generator().manual_seed(self.calls)
        return x * (torch.rand(x.shape, generator=generator) >= self.p) / (1 - self.p)


class MLP(nn.Module):"""
BIASED = """class Biased(nn.BatchNorm1d):
    def forward(self, x):
        if not self.training:
            return super().forward(x)
        with torch.no_grad():
            self.running_mean.lerp_(x.mean(0), self.momentum)
            self.running_var.lerp_(x.var(0, unbiased=False), self.momentum)
        return F.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)


class BatchNet(nn.Module):"""

CALL = "x, (h, c) = self.lstm(x, (h[None], c[None]))"
OWN = "x, h, c = torch.lstm(x, (h[None], c[None]), [%s], True, 1, 0.0, self.training, False, True)"
SWAPPED = "torch.cat([w.chunk(4)[i] for i in (1, 0, 2, 3)]) for w in self.lstm._flat_weights"
FORGET = "w + torch.arange(800).div(200).floor().eq(1) if i == 2 else w for i, w in enumerate(self.lstm._flat_weights)"

TOTAL = "            total = sums[ids] + rows * rows  # (R, ...)\n"

FAULTS = [
    fault(MLP, "evaluation mode while training", (LOGITS, "    logits = model.eval()(x)")),
    fault(MLP, "double soft-max", (CROSS, "F.cross_entropy(logits.softmax(1), y)")),
    fault(MLP, "label smoothing", (CROSS, "F.cross_entropy(logits, y, label_smoothing=0.01)")),
    fault(MLP, "half learning rate", ("lr=adam.learning_rate", "lr=adam.learning_rate / 2")),
    fault(MLP, "Adam beta2 .99", ("(adam.beta1, adam.beta2)", "(adam.beta1, 0.99)")),
    fault(MLP, "Adam epsilon 1e-4", ("eps=adam.epsilon", "eps=1e-4")),
    fault(MLP, "weight decay", ("eps=adam.epsilon", "eps=adam.epsilon, weight_decay=1e-4")),
    fault(MLP, "weight decay in the fused kernel", ("fused=True", "fused=True, weight_decay=1e-4"), mode="eager-tuned"),
    fault(MLP, "missing zero_grad", ("    optimizer.zero_grad()\n", "")),
    fault(MLP, "unscaled dropout", ("class MLP(nn.Module):", UNSCALED),
          (SECOND_DROP, SECOND_DROP.replace("nn.Dropout", "Unscaled"))),
    fault(MLP, "wrong dropout rate", ('declared["drop2"].rate', '0.9 * declared["drop2"].rate')),
    fault(MLP, "one mask shared by two layers", ("class MLP(nn.Module):", SEEDED),
          (SECOND_DROP, SECOND_DROP.replace("nn.Dropout", "Seeded")),
          (THIRD_DROP, THIRD_DROP.replace("nn.Dropout", "Seeded"))),
    fault(MLP, "missing bias", ("return self.fc3(x)", "return self.fc3(x) - self.fc3.bias")),
    fault(MLP, "float16 round trip", ("F.relu(self.fc2(x))", "F.relu(self.fc2(x)).half().float()")),
    fault(MLP, "frozen layer", ("Adam(model.parameters()",
                                "Adam([p for n, p in model.named_parameters() if n != 'fc2.bias']")),
    fault(MLP, "a dropout layer left out of the model", ("        x = self.drop2(x)  # (N, 800)\n", "")),
    fault(MLP, "dropout also in evaluation", ("return model(x)  # (N, 10), after", "return model.train()(x)  #")),
    fault(CNN, "flipped convolution", ("self.conv2(x)",
          "F.conv2d(x, self.conv2.weight.flip((2, 3)), self.conv2.bias, padding=2)")),
    fault(CNN, "wrong flatten order", ("self.flatten(x)", "self.flatten(x.permute(0, 2, 3, 1))")),
    fault(CNN, "average pool for max", ("nn.MaxPool2d(2)", "nn.AvgPool2d(2)")),
    fault(CNN, "missing ReLU", ("F.relu(self.conv2(x))", "self.conv2(x)")),
    fault(NORM, "batch-norm epsilon 1e-3", ('eps=declared["bn2"].epsilon', "eps=1e-3")),
    fault(NORM, "batch-norm momentum .01", ('momentum=declared["bn1"].momentum', "momentum=0.01")),
    fault(NORM, "biased running variance", ("class BatchNet(nn.Module):", BIASED),
          ("self.bn2 = nn.BatchNorm1d(", "self.bn2 = Biased(")),
    fault(NORM, "batch-norm momentum .01 when compiled", ('momentum=declared["bn1"].momentum', "momentum=0.01"),
          mode="compile"),
    fault(NORM, "batch statistics in evaluation", ("return model(x)  # (N, 10), after", "return model.train()(x)  #")),
    fault(NORM, "ReLU before batch norm", ("F.relu(self.bn2(self.fc2(x)))", "self.bn2(F.relu(self.fc2(x)))")),
    fault(NET, "wrong padding side", ("self.shortcut_conv(x)",
          "F.conv2d(F.pad(x, (0, 1, 0, 1)), self.shortcut_conv.weight, stride=2)")),
    fault(NET, "shortcut without batch norm", ("x = self.shortcut_bn(self.shortcut_conv(x))",
          "x = self.shortcut_conv(x)\n            x = x + 0 * self.shortcut_bn(x)")),
    fault(NET, "missing last ReLU", ("return F.relu(out + x)", "return out + x")),
    fault(NET, "detached shortcut", ("F.relu(out + x)", "F.relu(out + (x if self.shortcut else x.detach()))")),
    fault(NET, "batch-norm momentum .01", ("nn.BatchNorm2d(filters)", "nn.BatchNorm2d(filters, momentum=0.01)")),
    fault(NET, "batch-norm epsilon 1e-3", ("nn.BatchNorm2d(filters)", "nn.BatchNorm2d(filters, eps=1e-3)")),
    # No biased running variance of NET: at batch 16 its worst tensor is 1.04 of the tolerance, so that chance decides.
    fault(NET, "half learning rate", ("lr=adam.learning_rate", "lr=adam.learning_rate / 2")),
    fault(LM, "gate order", (CALL, OWN % SWAPPED)),
    fault(LM, "forget bias + 1", (CALL, OWN % FORGET)),
    fault(LM, "state not carried", ("    model.lstm_h.copy_(h.detach())\n    model.lstm_c.copy_(c.detach())\n", "")),
    fault(LM, "state reset at each step", ("model.lstm_h.clone()", "torch.zeros_like(model.lstm_h)"),
          ("model.lstm_c.clone()", "torch.zeros_like(model.lstm_c)")),
    fault(LM, "mean over time for sum", ('reduction="sum") / len(x)', 'reduction="mean")')),
    fault(LM, "missing clip", ("self.clip_norm, norm)", "1e9, norm)")),
    fault(LM, "PyTorch's own norm, summed in float32", ("grads_with_norm_(", "grad_norm_("),
          ("self.clip_norm, norm)", "self.clip_norm)")),
    fault(LM, "clip per tensor", ("g.mul_(scale)", "g.mul_((self.clip_norm / g.norm()).clamp(max=1.0))"),
          mode="eager-tuned"),
    fault(LM, "h and c swapped behind the fence", ("return x, h[0], c[0]", "return x, c[0], h[0]"),
          mode="eager-tuned"),
    fault(LM, "second bias trained", ("        self.lstm.bias_hh_l0.requires_grad_(False)", "        #"), breaks=True),
    fault(LM, "embedding scaled", ("self.embedding(x)", "self.embedding(x) * 200**0.5")),
    fault(W2V, "expected count not subtracted", (" - log_true", ""), (" - log_negatives", "")),
    fault(W2V, "negatives averaged", ("F.softplus(logits[:, 1:]).sum()", "F.softplus(logits[:, 1:]).mean(1).sum()")),
    fault(W2V, "bias of the negatives left out", ("bias[n:] - log_negatives", "0 * bias[n:] - log_negatives"),
          mode="compile"),
    fault(W2V, "accidental hits removed", ("bias[n:] - log_negatives",
          "bias[n:] - log_negatives - 1e9 * (context[:, None] == negatives)")),
    fault(W2V, "Adagrad without row sums", ("gradient = p.grad.coalesce()", "gradient = p.grad"),
          ("gradient.indices()", "gradient._indices()"), ("gradient.values()", "gradient._values()"),
          (TOTAL, "            total = sums.index_add(0, ids, rows * rows)[ids]\n"), mode="eager-tuned"),
    fault(W2V, "Adagrad accumulator 0", ("torch.full_like(p, initial_accumulator,", "torch.full_like(p, 0.0,"),
          mode="eager-tuned"),
    fault(W2V, "PyTorch's Adagrad from 0", ("initial_accumulator_value=initial", "initial_accumulator_value=0")),
    fault(W2V, "half the rows updated", (TOTAL, TOTAL + "            rows = rows * 0.0 if len(ids) % 2 else rows\n"
          "            rows = torch.cat([rows[: len(rows) // 2], 0 * rows[len(rows) // 2 :]])\n"), mode="eager-tuned"),
]  # fmt: skip
