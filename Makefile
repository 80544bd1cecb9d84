# Every target sets up .venv by itself when it is missing or when the requirements have changed.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready

DEMO := demo
DEMO_STEPS ?= 450
# Two persons in 48 photos want less pull to the layout and faster learning than a real data set.
DEMO_SETTINGS := --set loss.lambda_seg=2 --set optimiser.lr_g=4e-4
FIXTURE := fixtures/celeba
SMILE_FROM := $(FIXTURE)/img_align_celeba/000069.jpg
SMILE_TO := $(FIXTURE)/img_align_celeba/000070.jpg

.PHONY: demo test lint bench clean

demo: $(READY)
	@echo "== 1/4 photos to shards: 68 points by dlib, masks, HDF5 ($(DEMO)/shards)"
	$(BIN)/maskkit build-celeba $(FIXTURE) $(DEMO)/shards --fresh
	@echo "== 2/4 a morph of the masks from a closed to a smiling mouth ($(DEMO)/smile.gif)"
	$(BIN)/maskkit morph $(SMILE_FROM) $(SMILE_TO) -o $(DEMO)/smile.gif --overwrite
	@echo "== 3/4 SCGAN, preset tiny, $(DEMO_STEPS) steps on the processor or the GPU ($(DEMO)/run)"
	rm -rf $(DEMO)/run
	$(BIN)/gan fit $(DEMO)/shards --out $(DEMO)/run --preset tiny --steps $(DEMO_STEPS) $(DEMO_SETTINGS)
	@echo "== 4/4 the same smile, rendered by the trained generator ($(DEMO)/smile.mp4)"
	$(BIN)/gan render $(DEMO)/run --from $(SMILE_FROM) --to $(SMILE_TO) -o $(DEMO)/smile.mp4 --attributes Brown_Hair,Young --masks --scale 4 --overwrite
	$(BIN)/gan sample $(DEMO)/run -o $(DEMO)/samples.png --columns c --scale 2 --overwrite
	@echo
	@echo "Done. Open these:"
	@echo "  $(DEMO)/shards/preview.png   photos, points and masks of the data set"
	@echo "  $(DEMO)/smile.gif            the morph of the masks"
	@echo "  $(DEMO)/samples.png          layouts and generated faces, each attribute reversed in turn"
	@echo "  $(DEMO)/smile.mp4            mask and generated face, frame by frame"

test: $(READY)
	@echo "== tests"
	$(BIN)/python -m pytest

lint: $(READY)
	@echo "== style, types, and what may import what"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(READY)
	@echo "== each step against its floor, up to five minutes"
	$(BIN)/python -m benchmarks.speed

clean:
	rm -rf .venv $(DEMO) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	@echo "== setting up .venv: about 2.8 GB of packages (on Linux with pip's default torch, several GB more)"
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and no python3 was found; install it, or: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is missing or older. Try: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "no virtual environment could be made; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]' || { echo "the packages could not be installed; is there a network, and room on the disk? Then run the same command again."; exit 1; }
	@# facenet-pytorch asks for a torch and a NumPy long gone; without its wishes its MTCNN works. Builds do without it too.
	@$(BIN)/python -m pip install --quiet --no-deps facenet-pytorch==2.6.0 || echo "facenet-pytorch could not be installed; MTCNN is left out"
	@touch $(READY)
