mod forms;
mod hostile;
