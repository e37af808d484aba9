"""Faults of the TensorLayerX implementations."""

from mutations.faults import maker

fault = maker("tensorlayerx")

MLP, CNN, NORM, NET, LM, W2V = (
    "mnist_mlp", "mnist_cnn", "mnist_mlp_ablation/batchnorm", "cifar10_resnet", "lstm_text", "word2vec",
)  # fmt: skip

LOSS = "tlx.losses.softmax_cross_entropy_with_logits(logits, y)"
LOGITS = "    logits = model(x)  # (N, 10)"
SECOND_DROP = 'self.drop2 = nn.Dropout(declared["drop2"].rate)'
UNSCALED = """class Unscaled(nn.Dropout):
    def forward(self, x):
        return super().forward(x) * (1 - self.p) if self.is_train else x


class MLP(nn.Module):"""
APPLY = "    optimizer.apply_gradients("
FLIPPED = """self.conv2(x) * 0 + tlx.ops.conv2d(
            x, self.conv2.filters[::-1, ::-1], (1, 1, 1, 1), "SAME", "NHWC", (1, 1, 1, 1)
        ) + self.conv2.biases"""
DENSE = "[(tf.convert_to_tensor(g), v) for g, v in grads_and_vars]"
CLIP = "grad_clip=tlx.ops.ClipByGlobalNorm(sgd.clip_norm)"
CALL = "x, (h, c) = self.lstm(x, (h[None], c[None]))"
GATES = """rnn, lists = self.lstm.rnn, [list(v) for v in (self.lstm.weight_ih, self.lstm.weight_hh, self.lstm.bias_ih)]
        order = np.r_[200:400, 0:200, 400:800]
        rnn.w_ih, rnn.w_hh, rnn.b_ih = ([tf.gather(w, order) for w in weights] for weights in lists)
        """
FORGET = """self.lstm.rnn.b_ih = [b + np.repeat(np.float32([0, 1, 0, 0]), 200) for b in self.lstm.bias_ih]
        """
STATIC = ('static = bool(tf.config.get_visible_devices("GPU"))', "static = True")  # that branch on a CPU
STEP, TUNED = "lr=rate, grad=rows", "graph-tuned"
HALF = "lr=rate, grad=rows * tf.cast(tf.reshape(ids, [-1] + [1] * (rows.shape.rank - 1)) % 2, tf.float32)"

FAULTS = [
    fault(MLP, "evaluation mode while training", (LOGITS, f"    model.set_eval()\n{LOGITS}"), mode="graph"),
    fault(MLP, "double soft-max", (LOSS, LOSS.replace("(logits,", "(tlx.softmax(logits),"))),
    fault(MLP, "loss sum for mean", (LOSS, f"{LOSS} * x.shape[0]")),
    fault(MLP, "half learning rate", ("Adam(adam.learning_rate", "Adam(adam.learning_rate / 2")),
    fault(MLP, "Adam beta2 .99", ("beta_2=adam.beta2", "beta_2=0.99"), mode="graph"),
    fault(MLP, "Adam epsilon 1e-4", ("eps=adam.epsilon", "eps=1e-4")),
    fault(MLP, "unscaled dropout", ("class MLP(nn.Module):", UNSCALED),
          (SECOND_DROP, SECOND_DROP.replace("nn.Dropout", "Unscaled"))),
    fault(MLP, "wrong dropout rate", ('declared["drop3"].rate', '0.9 * declared["drop3"].rate')),
    fault(MLP, "frozen layer", (APPLY, "    weights = [w for w in weights if w is not model.fc2.biases]\n" + APPLY)),
    fault(MLP, "missing bias", ("return self.fc3(x)", "return self.fc3(x) - self.fc3.biases")),
    fault(CNN, "flipped convolution", ("self.conv2(x)", FLIPPED)),
    fault(CNN, "wrong flatten order", ("self.flatten(x)", "self.flatten(tlx.transpose(x, (0, 3, 1, 2)))")),
    fault(CNN, "average pool for max", ("nn.MaxPool2d(", "nn.AvgPool2d(")),
    fault(CNN, "missing ReLU", ("tlx.relu(self.fc1(x))", "self.fc1(x)")),
    fault(NORM, "batch-norm epsilon 1e-3", ('declared["bn1"].epsilon', "1e-3")),
    fault(NORM, "batch-norm momentum .01", ('1 - declared["bn2"].momentum', "0.99")),
    fault(NORM, "ReLU before batch norm", ("tlx.relu(self.bn2(self.fc2(x)))", "self.bn2(tlx.relu(self.fc2(x)))")),
    fault(NET, "wrong padding side", ("[[0, 0], [edge, edge], [edge, edge],",
          "[[0, 0], [0, 2 * edge], [0, 2 * edge],")),
    fault(NET, "missing last ReLU", ("return tlx.relu(out + x)", "return out + x")),
    fault(NET, "maximum for average pool", ("tlx.reduce_mean(x, axis=[1, 2])", "tlx.reduce_max(x, axis=[1, 2])")),
    fault(NET, "batch-norm momentum .01", ("momentum=0.9", "momentum=0.99")),
    fault(NET, "batch-norm epsilon 1e-3", ("epsilon=1e-5", "epsilon=1e-3")),
    fault(NET, "half learning rate", ("Adam(adam.learning_rate", "Adam(adam.learning_rate / 2")),
    fault(LM, "gate order", (CALL, GATES + CALL)),
    fault(LM, "forget bias + 1", (CALL, FORGET + CALL)),
    fault(LM, "state reset at each step", ("model(x, model.lstm_h, model.lstm_c)",
          "model(x, tf.zeros_like(model.lstm_h), tf.zeros_like(model.lstm_c))")),
    fault(LM, "h and c of the state swapped", ("model.lstm_h.assign(h)", "model.lstm_h.assign(c)"),
          ("model.lstm_c.assign(c)", "model.lstm_c.assign(h)")),
    fault(LM, "mean over time for sum", ("return mean * x.shape[1]", "return mean")),
    fault(LM, "clip without row sums", (DENSE, "grads_and_vars")),
    fault(LM, "missing clip", (f", {CLIP}", "")),
    fault(LM, "clip per tensor", (CLIP, "grad_clip=tlx.ops.ClipGradByNorm(sgd.clip_norm)")),
    fault(LM, "missing clip in the SGD written out", ("clipped, _ = tf.clip_by_global_norm(", "clipped, _ = ("),
          mode=TUNED),
    fault(LM, "rows of the flat output in another order", ("tlx.reshape(flat, (*x.shape[:2], 10_000))",
          "tlx.transpose(tlx.reshape(flat, (*x.shape[1::-1], 10_000)), (1, 0, 2))")),
    fault(LM, "second bias trained", ("kept = (model.lstm.bias_hh[0], ", "kept = (")),
    fault(W2V, "expected count not subtracted", (" - log_true", ""), (" - log_negatives", "")),
    fault(W2V, "accidental hits removed", ("negatives) - log_negatives",
          "negatives) - log_negatives - 1e9 * tf.cast(context[:, None] == negatives, tf.float32)")),
    fault(W2V, "TensorFlow 1's Adagrad from a hundredth", ("super().__init__(self.learning_rate, initial_accumulator)",
          "super().__init__(self.learning_rate, initial_accumulator / 100)")),
    fault(W2V, "Adagrad without row sums", ("[variable.ref()], summed, ids)",
          "[variable.ref()], rows, slices.indices)"), mode=TUNED),
    fault(W2V, "none, in the branch that a GPU takes", STATIC, escapes="this branch is sound; it runs on a CPU too",
          mode=TUNED),
    fault(W2V, "repeated rows left out", STATIC, ("tf.matmul(same, tf.reshape(rows, (tf.size(ids), -1)))",
          "tf.reshape(rows, (tf.size(ids), -1))"), mode=TUNED),
    fault(W2V, "repeated rows step at each of their places", STATIC, ("self.learning_rate * first * summed",
          "self.learning_rate * summed"), mode=TUNED),
    fault(W2V, "repeated rows squared at each of their places", STATIC, ("first * tf.square(summed)",
          "tf.square(summed)"), mode=TUNED),
    fault(W2V, "half the rows updated", (STEP, HALF), mode=TUNED),
]  # fmt: skip
