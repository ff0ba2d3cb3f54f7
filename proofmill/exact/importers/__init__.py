"""From float models to integer programs: BERT, Llama, CNN and MLP, with the proof that no integer can overflow."""
