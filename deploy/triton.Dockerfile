# Triton with the torch that the models of the Python backend import; runs on CPU and on GPU.
FROM nvcr.io/nvidia/tritonserver:25.08-py3
RUN pip install --no-cache-dir torch==2.8.0
